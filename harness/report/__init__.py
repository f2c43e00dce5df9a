"""What is made of a record: reports for a person, a browser and a pipeline. `publish` alone touches files."""
