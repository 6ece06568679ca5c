variable "name" {
  description = "What names of the identities begin with."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the identities."
  type        = string
}

variable "processes" {
  description = "Names of the processes; each has an identity of its own."
  type        = set(string)
}

variable "workload_identity" {
  description = "Kubernetes cluster whose service accounts, named as the processes, may act as them: its OIDC issuer and a namespace. Null: none."
  type = object({
    issuer    = string
    namespace = string
  })
  default = null

  validation {
    condition     = try(startswith(var.workload_identity.issuer, "https://"), var.workload_identity == null)
    error_message = "The issuer is an https:// address, as `az aks show --query oidcIssuerProfile.issuerUrl` tells."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
