"""Tables in SQL databases."""

from io_managers.sqlalchemy.manager import SQLAlchemyIOManager

__all__ = ["SQLAlchemyIOManager"]
