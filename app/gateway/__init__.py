"""The bridge between nodes on lines of bytes and MQTT."""
