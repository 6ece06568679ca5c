locals {
  # An assignment for each topic, or one for the namespace.
  sending = merge([for process, of in var.senders : {
    for topic in length(of.topics) == 0 ? ["*"] : of.topics : "${process}/${topic}" => { principal_id = of.principal_id, topic = topic }
  }]...)
  receiving = merge([for process, of in var.receivers : {
    for topic in length(of.topics) == 0 ? ["*"] : of.topics : "${process}/${topic}" => { principal_id = of.principal_id, topic = topic }
  }]...)
  scopes = merge(
    { "*" = azurerm_eventhub_namespace.this.id },
    { for name, hub in azurerm_eventhub.this : name => hub.id },
  )
  # A connection string signs in to the whole namespace, so it is as narrow as a process allows: send, listen, or both.
  rules = var.local_authentication ? setunion(keys(var.senders), keys(var.receivers)) : toset([])
}

resource "azurerm_eventhub_namespace" "this" {
  name                          = var.name
  location                      = var.location
  resource_group_name           = var.resource_group_name
  sku                           = var.sku
  capacity                      = var.capacity
  auto_inflate_enabled          = var.maximum_throughput_units > 0
  maximum_throughput_units      = var.maximum_throughput_units > 0 ? var.maximum_throughput_units : null
  local_authentication_enabled  = var.local_authentication
  public_network_access_enabled = false
  minimum_tls_version           = "1.2"
  tags                          = var.tags

  identity {
    type = "SystemAssigned"
  }
}

# No capture: bronze has every record as received. On Standard, the number of partitions is for ever.
resource "azurerm_eventhub" "this" {
  for_each = var.topics

  name            = each.key
  namespace_id    = azurerm_eventhub_namespace.this.id
  partition_count = each.value.partitions

  retention_description {
    cleanup_policy                    = each.value.cleanup_policy == "compact" ? "Compact" : "Delete"
    retention_time_in_hours           = each.value.cleanup_policy == "compact" ? null : each.value.retention_hours
    tombstone_retention_time_in_hours = each.value.cleanup_policy == "compact" ? 24 : null
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-namespace"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "namespace"
    private_connection_resource_id = azurerm_eventhub_namespace.this.id
    subresource_names              = ["namespace"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "namespace"
    private_dns_zone_ids = [var.zone_id]
  }
}

resource "azurerm_role_assignment" "sender" {
  for_each = local.sending

  scope                = local.scopes[each.value.topic]
  role_definition_name = "Azure Event Hubs Data Sender"
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "receiver" {
  for_each = local.receiving

  scope                = local.scopes[each.value.topic]
  role_definition_name = "Azure Event Hubs Data Receiver"
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_eventhub_namespace_authorization_rule" "process" {
  for_each = local.rules

  name                = "c360-${each.key}"
  namespace_name      = azurerm_eventhub_namespace.this.name
  resource_group_name = var.resource_group_name
  send                = contains(keys(var.senders), each.key)
  listen              = contains(keys(var.receivers), each.key)
  manage              = false
}
