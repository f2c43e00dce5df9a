"""What a user installs: the wheel, built, looked into, installed and run."""
