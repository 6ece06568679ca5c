output "namespace_id" {
  description = "Of the namespace."
  value       = azurerm_eventhub_namespace.this.id
}

output "host" {
  description = "Where clients connect to, without a port: 9093 is Kafka's, 5671 or 443 Event Hubs' own."
  value       = "${azurerm_eventhub_namespace.this.name}.servicebus.windows.net"
}

output "rule_names" {
  description = "Authorization rules, whose connection strings `az eventhubs namespace authorization-rule keys list` tells."
  value       = [for rule in azurerm_eventhub_namespace_authorization_rule.process : rule.name]
}
