output "c360_settings" {
  description = "Settings of the loader: `terraform output -json | c360 config import`."
  value       = local.settings["C360_LOADER"]
}

output "c360_settings_owner" {
  description = "Settings of migrations, backfills, erasure and reconciliation: `c360 config import --output c360_settings_owner`."
  value       = local.settings["C360_TRANSFORMER"]
}

output "c360_settings_page" {
  description = "Settings of the live page."
  value       = local.settings["C360_CARE"]
}

output "integration_consent_url" {
  description = "Where an administrator of the tenant lets Snowflake in; null without `lake_integration`."
  value       = module.snowflake.integration_consent_url
}
