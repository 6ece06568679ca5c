output "account_id" {
  description = "Of the storage account."
  value       = azurerm_storage_account.lake.id
}

output "account_name" {
  description = "Of the storage account."
  value       = azurerm_storage_account.lake.name
}

output "container_url" {
  description = "Of the lake's container, as Spark writes it."
  value       = "abfss://${azurerm_storage_container.lake.name}@${azurerm_storage_account.lake.name}.dfs.core.windows.net"
}
