"""What others see of the running agent: the endpoint, its pages, and the service manager."""
