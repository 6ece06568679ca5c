variable "name" {
  description = "Name of the workspace."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the workspace; what Databricks makes for itself goes into one of its own."
  type        = string
}

variable "virtual_network_id" {
  description = "Network that its nodes are in."
  type        = string
}

variable "subnet_names" {
  description = "By subnet: `databricks_public` and `databricks_private`."
  type        = map(string)
}

variable "security_group_associations" {
  description = "By subnet: the association of its security group."
  type        = map(string)
}

variable "public_access" {
  description = "Whether people and tools reach the workspace from the internet, with a sign-in. Without, they need the private endpoint, and for the browser one more of the kind browser_authentication in the region, which is not made here."
  type        = bool
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "zone_id" {
  description = "Private DNS zone of Databricks."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
