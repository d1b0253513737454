"""What is a campaign? The YAML a marketer writes, its offer and its template, checked to the last field."""
