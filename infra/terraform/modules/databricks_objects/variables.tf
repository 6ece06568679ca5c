variable "access_connector_id" {
  description = "As whom Unity Catalog reads and writes the lake."
  type        = string
}

variable "locations" {
  description = "By name: addresses of the lake that Unity Catalog may hand out. None may lie within another."
  type        = map(string)

  validation {
    condition     = alltrue([for url in var.locations : can(regex("^abfss://[a-z0-9-]+@[a-z0-9]+[.]dfs[.]core[.]windows[.]net/.+$", url))])
    error_message = "abfss://<container>@<account>.dfs.core.windows.net/<folder>"
  }
}

variable "job_client_id" {
  description = "Client id of the identity that the lake job runs as."
  type        = string
}

variable "reader_groups" {
  description = "Groups of the account whose people may read files of the lake."
  type        = set(string)
}

variable "key_vault" {
  description = "Vault behind the secret scope."
  type        = object({ id = string, uri = string })
}

variable "runtime_spark" {
  description = "Spark version whose newest runtime with long-term support the jobs run on: 4.1 is Databricks Runtime 18 LTS."
  type        = string
}

variable "node_types" {
  description = "Node types that a job may ask for, the usual one first."
  type        = list(string)

  validation {
    condition     = length(var.node_types) > 0 && alltrue([for type in var.node_types : startswith(type, "Standard_")])
    error_message = "At least one Azure VM size, such as Standard_D4ds_v5."
  }
}

variable "spark_conf" {
  description = "Spark settings of every cluster, as `contracts.json` has them."
  type        = map(string)
}
