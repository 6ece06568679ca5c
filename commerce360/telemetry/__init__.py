"""Every metric of the platform, declared once; what services tell of themselves, as Prometheus reads it."""
