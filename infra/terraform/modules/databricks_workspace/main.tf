# Premium: Unity Catalog, access control of secrets and policies.
resource "azurerm_databricks_workspace" "this" {
  name                                  = var.name
  location                              = var.location
  resource_group_name                   = var.resource_group_name
  managed_resource_group_name           = "${var.resource_group_name}-databricks"
  sku                                   = "premium"
  infrastructure_encryption_enabled     = true
  public_network_access_enabled         = var.public_access
  network_security_group_rules_required = "NoAzureDatabricksRules"
  tags                                  = var.tags

  custom_parameters {
    no_public_ip                                         = true
    virtual_network_id                                   = var.virtual_network_id
    public_subnet_name                                   = var.subnet_names["databricks_public"]
    private_subnet_name                                  = var.subnet_names["databricks_private"]
    public_subnet_network_security_group_association_id  = var.security_group_associations["databricks_public"]
    private_subnet_network_security_group_association_id = var.security_group_associations["databricks_private"]
  }
}

# Nodes reach the control plane by it, and so does who is inside the network.
resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-ui-api"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "databricks-ui-api"
    private_connection_resource_id = azurerm_databricks_workspace.this.id
    subresource_names              = ["databricks_ui_api"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "databricks-ui-api"
    private_dns_zone_ids = [var.zone_id]
  }
}

# As whom Unity Catalog reads and writes the lake.
resource "azurerm_databricks_access_connector" "this" {
  name                = "${var.name}-unity"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}
