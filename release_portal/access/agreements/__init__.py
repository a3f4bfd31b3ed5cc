"""The terms of access: their texts as files, and the services that publish and sign them."""
