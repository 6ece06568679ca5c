output "virtual_network_id" {
  description = "Of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "subnet_ids" {
  description = "By subnet: databricks_public, databricks_private, endpoints, processes."
  value       = { for key, subnet in azurerm_subnet.this : key => subnet.id }
}

output "subnet_names" {
  description = "By subnet, as `subnet_ids`."
  value       = { for key, subnet in azurerm_subnet.this : key => subnet.name }
}

output "security_group_associations" {
  description = "By subnet: the association with its security group, which Databricks wants to see before it begins."
  value       = { for key, association in azurerm_subnet_network_security_group_association.this : key => association.id }
}

output "zone_ids" {
  description = "By service: its private DNS zone."
  value       = { for key, zone in azurerm_private_dns_zone.this : key => zone.id }
}

output "outbound_address" {
  description = "The one address that connections out of the network come from."
  value       = azurerm_public_ip.out.ip_address
}
