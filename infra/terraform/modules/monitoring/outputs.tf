output "workspace_id" {
  description = "Of the Log Analytics workspace."
  value       = azurerm_log_analytics_workspace.this.id
}
