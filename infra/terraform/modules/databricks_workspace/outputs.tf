output "id" {
  description = "Of the workspace, as Azure names it."
  value       = azurerm_databricks_workspace.this.id
}

output "url" {
  description = "Address of the workspace."
  value       = "https://${azurerm_databricks_workspace.this.workspace_url}"
}

output "access_connector_id" {
  description = "Of the access connector."
  value       = azurerm_databricks_access_connector.this.id
}

output "access_connector_principal_id" {
  description = "Whom roles on the lake are assigned to."
  value       = azurerm_databricks_access_connector.this.identity[0].principal_id
}
