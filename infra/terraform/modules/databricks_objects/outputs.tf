output "policy_id" {
  description = "Of the cluster policy that jobs name."
  value       = databricks_cluster_policy.job.id
}

output "spark_version" {
  description = "Runtime that the policy fixes."
  value       = data.databricks_spark_version.lts.id
}

output "service_principal" {
  description = "Application id of whom jobs run as."
  value       = databricks_service_principal.lake.application_id
}

output "secret_scope" {
  description = "Name of the secret scope."
  value       = databricks_secret_scope.this.name
}
