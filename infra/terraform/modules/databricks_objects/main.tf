data "databricks_spark_version" "lts" {
  long_term_support = true
  spark_version     = var.runtime_spark
  scala             = "2.13"
}

# The managed identity, known to the workspace: jobs run as it.
resource "databricks_service_principal" "lake" {
  application_id = var.job_client_id
  display_name   = "c360-lake"
}

resource "databricks_cluster_policy" "job" {
  name        = "c360-job"
  description = "Clusters of commerce360's jobs: one node, one runtime, the Spark settings that were measured."

  definition = jsonencode(merge(
    {
      "cluster_type"  = { type = "fixed", value = "job" }
      "spark_version" = { type = "fixed", value = data.databricks_spark_version.lts.id }
      "node_type_id"  = { type = "allowlist", values = var.node_types, defaultValue = var.node_types[0] }
      # One node: the job is bound by commits, not by rows.
      "num_workers"                                 = { type = "fixed", value = 0, hidden = true }
      "spark_conf.spark.databricks.cluster.profile" = { type = "fixed", value = "singleNode", hidden = true }
      "spark_conf.spark.master"                     = { type = "fixed", value = "local[*]", hidden = true }
      "custom_tags.ResourceClass"                   = { type = "fixed", value = "SingleNode", hidden = true }
      "custom_tags.application"                     = { type = "fixed", value = "commerce360" }
      "data_security_mode"                          = { type = "fixed", value = "SINGLE_USER", hidden = true }
      "azure_attributes.availability"               = { type = "fixed", value = "ON_DEMAND_AZURE", hidden = true }
      "enable_local_disk_encryption"                = { type = "fixed", value = true, hidden = true }
      "runtime_engine"                              = { type = "fixed", value = "STANDARD" }
    },
    { for key, value in var.spark_conf : "spark_conf.${key}" => { type = "fixed", value = value } },
  ))
}

resource "databricks_permissions" "policy" {
  cluster_policy_id = databricks_cluster_policy.job.id

  access_control {
    service_principal_name = databricks_service_principal.lake.application_id
    permission_level       = "CAN_USE"
  }
}

resource "databricks_secret_scope" "this" {
  name = "c360"

  keyvault_metadata {
    resource_id = var.key_vault.id
    dns_name    = var.key_vault.uri
  }
}

resource "databricks_secret_acl" "lake" {
  scope      = databricks_secret_scope.this.name
  principal  = databricks_service_principal.lake.application_id
  permission = "READ"
}

resource "databricks_storage_credential" "lake" {
  name    = "c360-lake"
  comment = "The access connector of commerce360."

  azure_managed_identity {
    access_connector_id = var.access_connector_id
  }
}

resource "databricks_external_location" "this" {
  for_each = var.locations

  name            = "c360-${each.key}"
  url             = each.value
  credential_name = databricks_storage_credential.lake.name
  comment         = "Of commerce360."
}

resource "databricks_grants" "location" {
  for_each = databricks_external_location.this

  external_location = each.value.id

  grant {
    principal  = databricks_service_principal.lake.application_id
    privileges = ["READ_FILES", "WRITE_FILES", "CREATE_EXTERNAL_TABLE"]
  }

  dynamic "grant" {
    for_each = var.reader_groups

    content {
      principal  = grant.value
      privileges = ["READ_FILES"]
    }
  }
}
