output "principal_ids" {
  description = "By process: whom roles are assigned to."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.principal_id }
}

output "client_ids" {
  description = "By process: what a client asks to be."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.client_id }
}
