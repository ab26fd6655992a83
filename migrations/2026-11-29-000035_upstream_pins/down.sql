DROP TABLE upstream_pins;
