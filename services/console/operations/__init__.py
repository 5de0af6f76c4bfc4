"""How the services are: health, repairs, keys of integrations."""
