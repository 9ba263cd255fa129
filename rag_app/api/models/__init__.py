"""What goes over the wire, as Pydantic models: they make the OpenAPI document."""
