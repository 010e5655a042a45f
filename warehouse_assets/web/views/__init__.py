"""What pages and the API show, as values: each area asks the record and the code locations here."""
