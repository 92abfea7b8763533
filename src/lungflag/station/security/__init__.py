"""Who may do what, and how the station is kept from being misused."""
