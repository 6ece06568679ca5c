output "id" {
  description = "Of the resource."
  value       = azurerm_cognitive_account.this.id
}

output "endpoint" {
  description = "Where texts are sent to, without a slash at its end."
  value       = trimsuffix(azurerm_cognitive_account.this.endpoint, "/")
}
