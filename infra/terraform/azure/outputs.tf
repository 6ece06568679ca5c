output "c360_settings" {
  description = "Settings of commerce360: `terraform output -json | c360 config import`. No secrets: a *_FILE is where one is found."
  value = merge({
    C360_KAFKA__BOOTSTRAP     = "${module.eventhubs.host}:9093"
    C360_KAFKA__PROFILE       = "eventhubs"
    C360_EVENTHUBS__NAMESPACE = module.eventhubs.host
    C360_LAKE__ROOT           = "${module.storage.container_url}/${local.lake_folder}"
    C360_LAKE__AUTH           = var.workload_identity == null ? "managed" : "workload" # managed also wants C360_LAKE__CLIENT_ID: see client_ids
    C360_LAKE__CHECKPOINT     = "${module.storage.container_url}/${local.lake_folder}-checkpoint"
    },
    # Without connection strings, clients of librdkafka sign in by Entra ID; the lake job and Connect cannot.
    var.event_hubs.local_authentication ? { C360_KAFKA__SASL_PASSWORD_FILE = "${var.secrets_folder}/kafka-connection-string" } : { C360_KAFKA__AUTH = "entra" },
    # Azure's scorer signs in with a key; without keys the local one scores.
    var.language_local_auth ? {
      C360_SENTIMENT__ENGINE   = "azure"
      C360_SENTIMENT__ENDPOINT = module.language.endpoint
      C360_SENTIMENT__KEY_FILE = "${var.secrets_folder}/language-key"
    } : { C360_SENTIMENT__ENGINE = "local" },
  )
}

output "databricks" {
  description = "What the root `databricks` needs: `terraform output -json databricks > ../databricks/azure.auto.tfvars.json`."
  value = {
    workspace_url       = module.databricks_workspace.url
    workspace_id        = module.databricks_workspace.id
    access_connector_id = module.databricks_workspace.access_connector_id
    lake_url            = "${module.storage.container_url}/${local.lake_folder}"
    checkpoint_url      = "${module.storage.container_url}/${local.lake_folder}-checkpoint"
    job_client_id       = module.identity.client_ids["lake"]
    key_vault_id        = module.keyvault.id
    key_vault_uri       = module.keyvault.uri
  }
}

output "snowflake" {
  description = "What the root `snowflake` needs: `terraform output -json snowflake > ../snowflake/azure.auto.tfvars.json`."
  value = {
    platform_addresses = [module.network.outbound_address]
    azure_tenant_id    = data.azurerm_client_config.current.tenant_id
    lake_location      = "azure://${module.storage.account_name}.blob.core.windows.net/lake/${local.lake_folder}/"
  }
}

output "client_ids" {
  description = "By process: the client id of its identity, for C360_LAKE__CLIENT_ID or a service account's annotation."
  value       = module.identity.client_ids
}

output "tenant_id" {
  description = "Entra tenant of the identities."
  value       = data.azurerm_client_config.current.tenant_id
}

output "key_vault" {
  description = "Name of the vault that secrets go into."
  value       = module.keyvault.name
}

output "event_hubs_rules" {
  description = "Authorization rules of Event Hubs, one a process, whose connection strings go into the vault."
  value       = module.eventhubs.rule_names
}

output "log_workspace_id" {
  description = "Of the Log Analytics workspace."
  value       = module.monitoring.workspace_id
}
