"""Users, who sign in by e-mail, and organisers' teams."""
