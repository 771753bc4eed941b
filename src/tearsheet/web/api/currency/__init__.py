"""Operations on exchange rates."""
