output "database" {
  description = "Name of the database."
  value       = snowflake_database.this.name
}

output "users" {
  description = "By user: its role and its warehouse."
  value       = { for user, of in var.contracts.users : snowflake_service_user.this[user].name => of }
}

output "integration_consent_url" {
  description = "Where an administrator of the tenant lets Snowflake's application in; null without an integration."
  value       = try(snowflake_storage_integration_azure.lake[0].describe_output[0].consent_url, null)
}
