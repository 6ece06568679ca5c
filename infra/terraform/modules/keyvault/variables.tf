variable "name" {
  description = "Name of the vault, unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$", var.name))
    error_message = "3 to 24 letters, digits and hyphens; a letter first, no hyphen last."
  }
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the vault."
  type        = string
}

variable "tenant_id" {
  description = "Entra tenant that the vault trusts."
  type        = string
}

variable "operator_addresses" {
  description = "Public addresses or networks from which people put secrets in. None: only by the private endpoint."
  type        = list(string)

  validation {
    condition     = alltrue([for address in var.operator_addresses : can(cidrnetmask(strcontains(address, "/") ? address : "${address}/32")) && !endswith(address, "/0")])
    error_message = "IPv4 addresses or networks, such as 203.0.113.7 or 203.0.113.0/28; not the whole internet."
  }
}

variable "officers" {
  description = "By name: object ids of people or groups who put secrets in."
  type        = map(string)
}

variable "users" {
  description = "By name: principals that read secrets."
  type        = map(string)
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "zone_id" {
  description = "Private DNS zone of Key Vault."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
