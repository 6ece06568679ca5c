resource "azurerm_user_assigned_identity" "this" {
  for_each = var.processes

  name                = "${var.name}-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = var.workload_identity == null ? toset([]) : var.processes

  name                      = "kubernetes"
  user_assigned_identity_id = azurerm_user_assigned_identity.this[each.key].id
  issuer                    = var.workload_identity.issuer
  subject                   = "system:serviceaccount:${var.workload_identity.namespace}:${each.key}"
  audience                  = ["api://AzureADTokenExchange"]
}
