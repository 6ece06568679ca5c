variable "name" {
  description = "What names of the network begin with."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the network."
  type        = string
}

variable "address_space" {
  description = "Addresses of the virtual network, in CIDR notation, at least a /22."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.address_space)) && try(tonumber(split("/", var.address_space)[1]) <= 22, false)
    error_message = "Needs an IPv4 network of /22 or more, such as 10.36.0.0/20: four subnets, two of them of Databricks."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
