"""What looks, offline, at the files that describe the platform elsewhere: compose, Terraform, the bundle, monitoring, secrets."""
