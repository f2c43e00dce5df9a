"""The probe: our active end."""
