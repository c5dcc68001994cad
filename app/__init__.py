"""The service around the numbers: MQTT, storage, alarms, the simulated plant, the console and the command line."""
