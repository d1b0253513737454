"""How do rows reach the database? Sessions, column types, migrations, the audit trail."""
