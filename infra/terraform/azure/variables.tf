variable "subscription_id" {
  description = "Azure subscription that everything stands in."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", lower(var.subscription_id)))
    error_message = "A subscription id is a UUID, as `az account show --query id` tells."
  }
}

variable "location" {
  description = "Azure region, such as westeurope."
  type        = string
  default     = "westeurope"

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "The short name of a region, such as westeurope, as `az account list-locations` has it."
  }
}

variable "environment" {
  description = "Which of several platforms this is, such as dev or prod: part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.environment))
    error_message = "2 to 8 small letters and digits, a letter first."
  }
}

variable "unique" {
  description = "Makes the names unique that all of Azure shares, such as your company's initials."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{2,6}$", var.unique))
    error_message = "2 to 6 small letters and digits."
  }
}

variable "tags" {
  description = "More tags of every resource."
  type        = map(string)
  default     = {}
}

variable "address_space" {
  description = "Addresses of the virtual network, at least a /22; no network that it will be peered with may have them."
  type        = string
  default     = "10.36.0.0/20"
}

variable "storage_replication" {
  description = "Copies of the lake that Azure keeps."
  type        = string
  default     = "ZRS"
}

variable "more_lake_writers" {
  description = "By name: object ids of further service principals that write the lake, such as that of the jobs on Databricks (C360_LAKE__AUTH=principal)."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.more_lake_writers), ["unity", "lake", "operator"])) == 0
    error_message = "unity, lake and operator are names of writers already."
  }
}

variable "soft_delete_days" {
  description = "Days for which deleted files of the lake can be brought back, and erased personal data with them."
  type        = number
  default     = 7
}

variable "cool_after_days" {
  description = "Days after which files of bronze go to the cool tier; 0: never."
  type        = number
  default     = 90
}

variable "event_hubs" {
  description = "Tier and size of Event Hubs, and whether connection strings are taken."
  type = object({
    sku                      = optional(string, "Standard")
    capacity                 = optional(number, 1)
    maximum_throughput_units = optional(number, 4)
    local_authentication     = optional(bool, true)
  })
  default = {}
}

variable "connect_on_event_hubs" {
  description = "Whether Kafka Connect keeps its own state on Event Hubs: three compacted hubs. Else it needs a Kafka of its own."
  type        = bool
  default     = false

  validation {
    condition     = !var.connect_on_event_hubs || var.event_hubs.sku == "Premium"
    error_message = "The connectors ask for exactly-once, which needs Kafka's transactions: Premium. Compacted hubs alone would do on Standard."
  }
}

variable "language_sku" {
  description = "Of Azure AI Language: S, or F0 for a trial."
  type        = string
  default     = "S"
}

variable "language_local_auth" {
  description = "Whether Azure AI Language takes keys. The service `sentiment` signs in with one."
  type        = bool
  default     = true
}

variable "operator_addresses" {
  description = "Public addresses from which people put secrets into Key Vault. Empty: only from inside the network."
  type        = list(string)
  default     = []
}

variable "secret_officers" {
  description = "By name: object ids of people or groups who put secrets into Key Vault."
  type        = map(string)
  default     = {}
}

variable "databricks_object_id" {
  description = "Object id of the application AzureDatabricks in your tenant, which reads secrets for a secret scope."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", lower(var.databricks_object_id)))
    error_message = "As `az ad sp show --id 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --query id` tells."
  }
}

variable "databricks_public_access" {
  description = "Whether people and Terraform reach the Databricks workspace from the internet, with a sign-in."
  type        = bool
  default     = true
}

variable "workload_identity" {
  description = "Kubernetes cluster whose service accounts, named as the processes, act as their identities. Null: none."
  type        = object({ issuer = string, namespace = string })
  default     = null
}

variable "secrets_folder" {
  description = "Folder in which processes find their secrets as files, put there from Key Vault by what runs them."
  type        = string
  default     = "/run/secrets/c360"

  validation {
    condition     = startswith(var.secrets_folder, "/") && !endswith(var.secrets_folder, "/")
    error_message = "An absolute path without a slash at its end."
  }
}

variable "log_retention_days" {
  description = "Days for which Azure's own logs are kept."
  type        = number
  default     = 30
}

variable "log_daily_quota_gb" {
  description = "Gigabytes of logs a day after which no more are taken; -1: no end."
  type        = number
  default     = 2
}

variable "alert_addresses" {
  description = "Addresses that get a mail for each alert."
  type        = list(string)
  default     = []
}
