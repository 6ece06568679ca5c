resource "azurerm_storage_account" "lake" {
  name                              = var.account_name
  location                          = var.location
  resource_group_name               = var.resource_group_name
  account_kind                      = "StorageV2"
  account_tier                      = "Standard"
  account_replication_type          = var.replication
  is_hns_enabled                    = true
  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = false
  tags                              = var.tags

  blob_properties {
    delete_retention_policy {
      days = var.soft_delete_days
    }

    container_delete_retention_policy {
      days = var.soft_delete_days
    }
  }

  # Also in effect while public access is off: Unity Catalog looks at an external location from outside of our network.
  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]

    private_link_access {
      endpoint_resource_id = var.access_connector_id
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# By Azure's management API, so that no apply needs a way to the account's data.
resource "azurerm_storage_container" "lake" {
  name                  = "lake"
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

# A file's age says nothing about whether a table still has it: only VACUUM knows, so nothing is deleted here, and nothing goes to the
# archive, from which it could not be read.
resource "azurerm_storage_management_policy" "lake" {
  count = var.cool_after_days == 0 ? 0 : 1

  storage_account_id = azurerm_storage_account.lake.id

  rule {
    name    = "cool-bronze"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${azurerm_storage_container.lake.name}/${var.lake_folder}/bronze/records/"]
    }

    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = var.cool_after_days
      }
    }
  }
}

resource "azurerm_private_endpoint" "this" {
  for_each = toset(["blob", "dfs"])

  name                = "${var.account_name}-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.lake.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [var.zone_ids[each.key]]
  }
}

resource "azurerm_role_assignment" "writer" {
  for_each = var.writers

  scope                = azurerm_storage_container.lake.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
  description          = "${each.key} writes the lake."
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.readers

  scope                = azurerm_storage_container.lake.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
  description          = "${each.key} reads the lake."
}
