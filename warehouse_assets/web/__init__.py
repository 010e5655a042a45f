"""The web UI: pages and a JSON API for assets, their lineage and history, and for what runs. `wa web` and `wa dev` serve it."""
