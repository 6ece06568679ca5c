locals {
  # Quarters of the address space. Databricks counts nodes by them and can change neither later.
  subnets = {
    databricks_public  = { cidr = cidrsubnet(var.address_space, 2, 0), delegated = true }
    databricks_private = { cidr = cidrsubnet(var.address_space, 2, 1), delegated = true }
    endpoints          = { cidr = cidrsubnet(var.address_space, 2, 2), delegated = false }
    processes          = { cidr = cidrsubnet(var.address_space, 2, 3), delegated = false }
  }
  # Private DNS zone of each service that is reached by a private endpoint.
  zones = {
    blob       = "privatelink.blob.core.windows.net"
    dfs        = "privatelink.dfs.core.windows.net"
    eventhubs  = "privatelink.servicebus.windows.net"
    keyvault   = "privatelink.vaultcore.azure.net"
    language   = "privatelink.cognitiveservices.azure.com"
    databricks = "privatelink.azuredatabricks.net"
  }
}

resource "azurerm_virtual_network" "this" {
  name                = "${var.name}-vnet"
  location            = var.location
  resource_group_name = var.resource_group_name
  address_space       = [var.address_space]
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                              = replace(each.key, "_", "-")
  resource_group_name               = var.resource_group_name
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = [each.value.cidr]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"

  dynamic "delegation" {
    for_each = each.value.delegated ? ["databricks"] : []

    content {
      name = delegation.value

      service_delegation {
        name = "Microsoft.Databricks/workspaces"
        actions = [
          "Microsoft.Network/virtualNetworks/subnets/join/action",
          "Microsoft.Network/virtualNetworks/subnets/prepareNetworkPolicies/action",
          "Microsoft.Network/virtualNetworks/subnets/unprepareNetworkPolicies/action",
        ]
      }
    }
  }
}

# Databricks adds the rules that its nodes need; those of the others are Azure's own: the network inside, nothing from outside.
resource "azurerm_network_security_group" "this" {
  for_each = local.subnets

  name                = "${var.name}-${replace(each.key, "_", "-")}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags

  lifecycle {
    ignore_changes = [security_rule]
  }
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.key].id
}

# The one way out: nodes have no public address, and Snowflake's network policy wants to know ours.
resource "azurerm_public_ip" "out" {
  name                = "${var.name}-out"
  location            = var.location
  resource_group_name = var.resource_group_name
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "out" {
  name                = "${var.name}-out"
  location            = var.location
  resource_group_name = var.resource_group_name
  sku_name            = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "out" {
  nat_gateway_id       = azurerm_nat_gateway.out.id
  public_ip_address_id = azurerm_public_ip.out.id
}

resource "azurerm_subnet_nat_gateway_association" "out" {
  for_each = toset(["databricks_public", "databricks_private", "processes"])

  subnet_id      = azurerm_subnet.this[each.key].id
  nat_gateway_id = azurerm_nat_gateway.out.id
}

resource "azurerm_private_dns_zone" "this" {
  for_each = local.zones

  name                = each.value
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = local.zones

  name                = "${var.name}-${each.key}"
  private_dns_zone_id = azurerm_private_dns_zone.this[each.key].id
  virtual_network_id  = azurerm_virtual_network.this.id
  tags                = var.tags
}
