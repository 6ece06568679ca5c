output "id" {
  description = "Of the vault."
  value       = azurerm_key_vault.this.id
}

output "name" {
  description = "Of the vault."
  value       = azurerm_key_vault.this.name
}

output "uri" {
  description = "Address of the vault."
  value       = azurerm_key_vault.this.vault_uri
}
