"""What the gate listens for, one check a module. Must not know engines or notes."""
