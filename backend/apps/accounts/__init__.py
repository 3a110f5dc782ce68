"""Users, who sign in by e-mail, and the teams of organisers that they work for."""
