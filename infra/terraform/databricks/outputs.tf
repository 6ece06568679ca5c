output "policy_id" {
  description = "Of the cluster policy that jobs name."
  value       = module.databricks_objects.policy_id
}

output "spark_version" {
  description = "Runtime that the policy fixes."
  value       = module.databricks_objects.spark_version
}

output "service_principal" {
  description = "Application id of whom jobs run as."
  value       = module.databricks_objects.service_principal
}

output "secret_scope" {
  description = "Name of the secret scope, for {{secrets/<scope>/<secret>}}."
  value       = module.databricks_objects.secret_scope
}
