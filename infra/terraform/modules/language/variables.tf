variable "name" {
  description = "Name of the resource and its subdomain, unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.name))
    error_message = "2 to 63 small letters, digits and hyphens; a letter first, no hyphen last."
  }
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the resource."
  type        = string
}

variable "sku" {
  description = "S, or F0, which is free, scores 5,000 texts a month and stands once in a subscription."
  type        = string

  validation {
    condition     = contains(["F0", "S"], var.sku)
    error_message = "F0 or S."
  }
}

variable "local_auth" {
  description = "Whether the resource takes keys beside Entra ID. The service `sentiment` signs in with a key."
  type        = bool
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "zone_id" {
  description = "Private DNS zone of Azure AI services."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
