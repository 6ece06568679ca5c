variable "account_name" {
  description = "Name of the storage account, unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.account_name))
    error_message = "A storage account's name is 3 to 24 small letters and digits."
  }
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the account."
  type        = string
}

variable "replication" {
  description = "Copies that Azure keeps: LRS, ZRS, GRS, GZRS, RAGRS or RAGZRS."
  type        = string

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"], var.replication)
    error_message = "One of LRS, ZRS, GRS, GZRS, RAGRS, RAGZRS."
  }
}

variable "soft_delete_days" {
  description = "Days for which what was deleted can be brought back. An erasure of personal data is final only after them."
  type        = number

  validation {
    condition     = var.soft_delete_days >= 1 && var.soft_delete_days <= 365
    error_message = "1 to 365 days."
  }
}

variable "cool_after_days" {
  description = "Days after which files of bronze, read only when history is folded again, go to the cool tier. 0: never."
  type        = number

  validation {
    condition     = var.cool_after_days == 0 || var.cool_after_days >= 30
    error_message = "0, or 30 days and more: a file that leaves the cool tier within 30 days is billed for them."
  }
}

variable "lake_folder" {
  description = "Folder of the lake in the container."
  type        = string
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoints."
  type        = string
}

variable "zone_ids" {
  description = "Private DNS zones by service; `blob` and `dfs` are used."
  type        = map(string)
}

variable "access_connector_id" {
  description = "Of Databricks: the only resource of Azure that the account's firewall knows."
  type        = string
}

variable "writers" {
  description = "By name: principals that write the lake."
  type        = map(string)
}

variable "readers" {
  description = "By name: principals that read the lake."
  type        = map(string)
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
