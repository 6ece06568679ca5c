variable "organization" {
  description = "Snowflake organization, the first part of an account identifier."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9]*$", var.organization))
    error_message = "Letters and digits, as SELECT CURRENT_ORGANIZATION_NAME() tells."
  }
}

variable "account" {
  description = "Snowflake account in that organization."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]*$", var.account))
    error_message = "Letters, digits and underscores, as SELECT CURRENT_ACCOUNT_NAME() tells."
  }
}

variable "database" {
  description = "Database of the warehouse."
  type        = string
  default     = "COMMERCE360"
}

variable "credits" {
  description = "Credits a month at which the warehouses are suspended."
  type        = number
  default     = 100
}

variable "public_keys" {
  description = "By user: its public key in base64."
  type        = map(string)
}

variable "platform_addresses" {
  description = "Addresses that the platform's network comes from. From the root `azure`, as the next two."
  type        = set(string)
}

variable "azure_tenant_id" {
  description = "Entra tenant of the lake."
  type        = string
}

variable "lake_location" {
  description = "The lake as Snowflake names it."
  type        = string
}

variable "more_addresses" {
  description = "Further addresses that services may come from, such as those of who runs migrations."
  type        = set(string)
  default     = []
}

variable "lake_integration" {
  description = "Whether stages may read the lake as files. Needs Snowflake's outbound private link (Business Critical) and a consent."
  type        = bool
  default     = false
}

variable "secrets_folder" {
  description = "Folder in which processes find their secrets as files."
  type        = string
  default     = "/run/secrets/c360"
}
