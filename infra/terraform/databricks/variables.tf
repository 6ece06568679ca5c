variable "workspace_url" {
  description = "Address of the workspace. From the root `azure`, as all that follow to `key_vault_uri`."
  type        = string

  validation {
    condition     = startswith(var.workspace_url, "https://")
    error_message = "https://adb-....azuredatabricks.net"
  }
}

variable "workspace_id" {
  description = "Azure's id of the workspace."
  type        = string
}

variable "access_connector_id" {
  description = "As whom Unity Catalog reads and writes the lake."
  type        = string
}

variable "lake_url" {
  description = "Address of the lake."
  type        = string
}

variable "checkpoint_url" {
  description = "Address of the lake job's checkpoint."
  type        = string
}

variable "job_client_id" {
  description = "Client id of the identity that the lake job runs as."
  type        = string
}

variable "key_vault_id" {
  description = "Azure's id of the vault behind the secret scope."
  type        = string
}

variable "key_vault_uri" {
  description = "Address of that vault."
  type        = string
}

variable "runtime_spark" {
  description = "Spark version whose newest runtime with long-term support the jobs run on."
  type        = string
  default     = "4.1"

  validation {
    condition     = can(regex("^[0-9]+[.][0-9]+$", var.runtime_spark))
    error_message = "A Spark version such as 4.1."
  }
}

variable "node_types" {
  description = "Node types that a job may ask for, the usual one first."
  type        = list(string)
  default     = ["Standard_D4ds_v5", "Standard_D8ds_v5"]
}

variable "reader_groups" {
  description = "Groups of the Databricks account whose people may read files of the lake, personal data included."
  type        = set(string)
  default     = []
}
