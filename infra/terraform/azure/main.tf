locals {
  contracts = jsondecode(file("${path.module}/../contracts.json"))
  name      = "c360-${var.environment}"
  shared    = "c360${var.environment}${var.unique}" # of names that all of Azure shares
  tags      = merge({ application = "commerce360", environment = var.environment, managed_by = "terraform" }, var.tags)

  lake_folder = "c360"

  # Whoever has an identity here: what it does with the lake, and which topics it writes and reads. ["*"]: all.
  processes = {
    lake      = { lake = "write", sends = [], receives = ["*"] }
    loader    = { lake = "read", sends = [], receives = [] }
    page      = { lake = "read", sends = [], receives = ["*"] }
    sentiment = { lake = "none", sends = ["ai.shop.sentiment"], receives = ["web.shop.reviews", "ai.shop.sentiment"] }
    shop      = { lake = "none", sends = ["shop.orders.events"], receives = [] }
    connect = {
      lake     = "none"
      sends    = concat([for name in keys(local.contracts.topics) : name if can(regex("^(oltp|web)[.]", name))], local.connect_topics)
      receives = local.connect_topics
    }
    # `c360 backfill`, `c360 privacy`, `c360 reconcile`: whoever repairs and proves.
    operator = { lake = "write", sends = ["*"], receives = ["*"] }
  }
  connect_topics = var.connect_on_event_hubs ? keys(local.contracts.connect_topics) : []
  topics         = merge(local.contracts.topics, { for name in local.connect_topics : name => local.contracts.connect_topics[name] })
}

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "this" {
  name     = local.name
  location = var.location
  tags     = local.tags
}

module "network" {
  source = "../modules/network"

  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = var.address_space
  tags                = local.tags
}

module "identity" {
  source = "../modules/identity"

  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  processes           = toset(keys(local.processes))
  workload_identity   = var.workload_identity
  tags                = local.tags
}

module "databricks_workspace" {
  source = "../modules/databricks_workspace"

  name                        = "${local.name}-databricks"
  location                    = var.location
  resource_group_name         = azurerm_resource_group.this.name
  virtual_network_id          = module.network.virtual_network_id
  subnet_names                = module.network.subnet_names
  security_group_associations = module.network.security_group_associations
  public_access               = var.databricks_public_access
  endpoint_subnet_id          = module.network.subnet_ids["endpoints"]
  zone_id                     = module.network.zone_ids["databricks"]
  tags                        = local.tags
}

module "storage" {
  source = "../modules/storage"

  account_name        = "${local.shared}lake"
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  replication         = var.storage_replication
  soft_delete_days    = var.soft_delete_days
  cool_after_days     = var.cool_after_days
  lake_folder         = local.lake_folder
  endpoint_subnet_id  = module.network.subnet_ids["endpoints"]
  zone_ids            = module.network.zone_ids
  access_connector_id = module.databricks_workspace.access_connector_id
  writers = merge(
    { unity = module.databricks_workspace.access_connector_principal_id },
    { for process, does in local.processes : process => module.identity.principal_ids[process] if does.lake == "write" },
    var.more_lake_writers,
  )
  readers = { for process, does in local.processes : process => module.identity.principal_ids[process] if does.lake == "read" }
  tags    = local.tags
}

module "eventhubs" {
  source = "../modules/eventhubs"

  name                     = "${local.shared}-hubs"
  location                 = var.location
  resource_group_name      = azurerm_resource_group.this.name
  sku                      = var.event_hubs.sku
  capacity                 = var.event_hubs.capacity
  maximum_throughput_units = var.event_hubs.sku == "Premium" ? 0 : var.event_hubs.maximum_throughput_units
  local_authentication     = var.event_hubs.local_authentication
  topics                   = local.topics
  endpoint_subnet_id       = module.network.subnet_ids["endpoints"]
  zone_id                  = module.network.zone_ids["eventhubs"]
  senders = {
    for process, does in local.processes : process => {
      principal_id = module.identity.principal_ids[process]
      topics       = setsubtract(does.sends, ["*"])
    } if length(does.sends) > 0
  }
  receivers = {
    for process, does in local.processes : process => {
      principal_id = module.identity.principal_ids[process]
      topics       = setsubtract(does.receives, ["*"])
    } if length(does.receives) > 0
  }
  tags = local.tags
}

module "keyvault" {
  source = "../modules/keyvault"

  name                = "${local.shared}-kv"
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  tenant_id           = data.azurerm_client_config.current.tenant_id
  operator_addresses  = var.operator_addresses
  officers            = var.secret_officers
  users               = merge({ databricks = var.databricks_object_id }, module.identity.principal_ids)
  endpoint_subnet_id  = module.network.subnet_ids["endpoints"]
  zone_id             = module.network.zone_ids["keyvault"]
  tags                = local.tags
}

module "language" {
  source = "../modules/language"

  name                = "${local.shared}-language"
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  sku                 = var.language_sku
  local_auth          = var.language_local_auth
  endpoint_subnet_id  = module.network.subnet_ids["endpoints"]
  zone_id             = module.network.zone_ids["language"]
  tags                = local.tags
}

module "monitoring" {
  source = "../modules/monitoring"

  name                = local.name
  location            = var.location
  resource_group_name = azurerm_resource_group.this.name
  retention_days      = var.log_retention_days
  daily_quota_gb      = var.log_daily_quota_gb
  logs = {
    # Who deleted what. Reads and writes of a lake that commits every second would cost more than the lake.
    lake       = { id = "${module.storage.account_id}/blobServices/default", categories = ["StorageDelete"], metrics = ["Transaction"] }
    hubs       = { id = module.eventhubs.namespace_id, groups = ["audit"], metrics = ["AllMetrics"] }
    vault      = { id = module.keyvault.id, groups = ["audit"], metrics = ["AllMetrics"] }
    language   = { id = module.language.id, groups = ["audit"], metrics = ["AllMetrics"] }
    databricks = { id = module.databricks_workspace.id, categories = ["accounts", "clusters", "jobs", "secrets", "unityCatalog", "workspace"] }
  }
  alerts = {
    hubs-throttled = {
      scope       = module.eventhubs.namespace_id
      namespace   = "Microsoft.EventHub/namespaces"
      metric      = "ThrottledRequests"
      aggregation = "Total"
      operator    = "GreaterThan"
      threshold   = 0
      severity    = 2
      about       = "Event Hubs turns requests away: more throughput units, or fewer events."
    }
    hubs-errors = {
      scope       = module.eventhubs.namespace_id
      namespace   = "Microsoft.EventHub/namespaces"
      metric      = "ServerErrors"
      aggregation = "Total"
      operator    = "GreaterThan"
      threshold   = 10
      severity    = 1
      about       = "Event Hubs fails: producers wait, the lake falls behind."
    }
    lake-availability = {
      scope       = module.storage.account_id
      namespace   = "Microsoft.Storage/storageAccounts"
      metric      = "Availability"
      aggregation = "Average"
      operator    = "LessThan"
      threshold   = 99
      severity    = 1
      about       = "The lake's storage fails: batches wait."
    }
    vault-availability = {
      scope       = module.keyvault.id
      namespace   = "Microsoft.KeyVault/vaults"
      metric      = "Availability"
      aggregation = "Average"
      operator    = "LessThan"
      threshold   = 99
      severity    = 2
      about       = "Key Vault fails: what starts now gets no secrets."
    }
  }
  alert_addresses = var.alert_addresses
  tags            = local.tags
}
