"""Operations on assets that both APIs, delivery and the console share."""
