locals {
  contracts = jsondecode(file("${path.module}/../contracts.json"))
}

module "databricks_objects" {
  source = "../modules/databricks_objects"

  access_connector_id = var.access_connector_id
  locations           = { lake = var.lake_url, checkpoint = var.checkpoint_url }
  job_client_id       = var.job_client_id
  reader_groups       = var.reader_groups
  key_vault           = { id = var.key_vault_id, uri = var.key_vault_uri }
  runtime_spark       = var.runtime_spark
  node_types          = var.node_types
  spark_conf          = local.contracts.spark_conf
}
